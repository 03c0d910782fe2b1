"""What each key of params.yaml means: for the schema, the page of all keys and the report.

They stand apart from the settings, whose code is an input of jobs: another word here makes nothing due but the report.
By the name of the class and of the key; a class derived from another has its keys too. A user's own kind of methods may
describe its keys where it declares them, by ``Field(description=...)``.
"""

from __future__ import annotations

from collections.abc import Iterator

from refold.settings.base import Section
from refold.settings.changes import Changes

TEXTS: dict[str, dict[str, str]] = {
    "Rotation": {
        "p": "Probability; 0 switches it off.",
        "degrees": "Largest angle about each axis, drawn evenly, either way.",
    },
    "Scaling": {
        "p": "Probability; 0 switches it off.",
        "range": "Factor; over 1 enlarges.",
    },
    "Crop": {
        "p": "Probability; 0 switches it off.",
        "range": "Share of the patch's edge that is kept, at a random place, and enlarged to the whole patch.",
    },
    "Flip": {
        "p": "Probability, for each axis by itself.",
        "axes": (
            "Axes that may be flipped: x (left-right), y (posterior-anterior), z (inferior-superior); none whose "
            "labels name a side."
        ),
    },
    "Noise": {
        "p": "Probability; 0 switches it off.",
        "variance": "Variance of Gaussian noise, in units of the normalised image.",
    },
    "Blur": {
        "p": "Probability; 0 switches it off.",
        "sigma": "Standard deviation of the Gaussian, in voxels.",
    },
    "Brightness": {
        "p": "Probability; 0 switches it off.",
        "range": "Factor.",
    },
    "Contrast": {
        "p": "Probability; 0 switches it off.",
        "range": "Factor about the mean; the result is kept in the former range.",
    },
    "LowResolution": {
        "p": "Probability; 0 switches it off.",
        "range": "Factor of the resolution simulated.",
    },
    "Gamma": {
        "p": "Probability; 0 switches it off.",
        "range": "Exponent; mean and standard deviation are kept.",
    },
    "GammaInverted": {
        "p": "Probability; 0 switches it off.",
    },
    "ChannelDropout": {
        "p": "Probability, for each channel by itself, that it is set to 0; one always stays.",
    },
    "Augment": {
        "rotation": "Rotation; in 2-D in the plane.",
        "scaling": "Scaling, the same for all axes.",
        "crop": "Random crop, enlarged to the patch.",
        "flip": "Mirror images.",
        "noise": "Gaussian noise.",
        "blur": "Gaussian blur.",
        "brightness": "Multiplication of the intensities.",
        "contrast": "Contrast.",
        "low_resolution": "Simulated low resolution.",
        "gamma_inverted": "Gamma on the inverted image.",
        "gamma": "Gamma.",
        "channel_dropout": "Missing channels, so that the network survives without them.",
    },
    "Phantom": {
        "seed": "Seed of the phantom.",
        "patients": "Number of patients.",
        "second_scans": "How many of the patients have two scans.",
        "without_lesion": "Share of scans without a lesion.",
        "size": "Edge of the field of view in mm, about; a voxel has about 1 mm.",
    },
    "Dataset": {
        "name": (
            "`phantom` (made here), one of the ten Medical Segmentation Decathlon tasks such as "
            "`Task04_Hippocampus` (downloaded once), or any name of your own together with `source`."
        ),
        "source": (
            "Local folder or archive (.tar, .tar.gz, .zip) in MSD layout. A folder is read in place. null: made or "
            "downloaded according to `name`."
        ),
        "patient_pattern": (
            "Regular expression with one group, searched in the case's name; the group is the patient: "
            "`^(patient\\d+)_` turns patient001_frame12 into patient001. null: each case is its own patient."
        ),
        "patient_table": "CSV file with the columns `case` and `patient`; instead of `patient_pattern`.",
        "colours": (
            'For masks in colours: each label\'s colour, as `vessel: "#ff0000"` or `vessel: [255, 0, 0]`, or a '
            "list of such; the background is black if it is not named. Predictions are written in the same colours."
        ),
        "pixels": (
            "What pictures mean by TIFF's white-is-zero and by tags of orientation. `shown`: as programs show them; "
            "`stored`: the pixels as they lie in the file. null: as shown, and refused where the two would set "
            "image and mask, or the masks' inside and outside, against each other."
        ),
        "exclude": (
            "Cases that are left out, each with the reason, which stands in the report: `case_012: the same patient "
            "as case_003`. Their files are not read."
        ),
        "phantom": "Only read when name is `phantom`.",
    },
    "Evaluate": {
        "nsd_tolerance": (
            "Tolerance of the normalised surface distance (NSD), in mm; best what two readers differ by. `auto`: "
            "the voxel size within a slice that nine in ten cases do not exceed."
        ),
        "regions": (
            "Unions of labels that are measured beside the labels: a name and the labels' names, such as "
            "`whole_tumour: [oedema, core]`. They have no part in the mean over the labels."
        ),
        "lesions": (
            "Labels and regions whose connected components are counted as lesions: sensitivity, precision, F1, "
            "missed ones and false positives a scan, panoptic quality."
        ),
        "lesion_iou": "Least intersection over union of two components that are the same lesion.",
        "calibration_margin": (
            "Calibration is measured in a box about the truth, this much wider on each side, in mm. `auto`: five "
            "voxels of the size that `nsd_tolerance` takes."
        ),
        "confidence": "Level of the intervals. Where a corrected p is under 1 minus it, a method is called better.",
        "interval": (
            "Kind of bootstrap interval. `studentised` (bootstrap-t) covers the mean about as often as it says from "
            "12 patients on, where no few cases fail; `percentile` is narrower, and covers less, with under 50."
        ),
        "bootstrap": "Bootstrap samples, drawn by patient.",
        "test": (
            "Paired test between methods, on one difference a patient. `wilcoxon`: of signed ranks; `permutation`: "
            "of the mean, by flipped signs."
        ),
        "seed": "Seed of the bootstrap and the permutations.",
    },
    "Predict": {
        "tile": (
            "`whole`: the volume at once; a size in voxels: overlapping tiles; `auto`: tiles of the training "
            "patch's size, whole where the volume is at most twice as large."
        ),
        "overlap": "Share of a tile that overlaps its neighbour; Gaussian weights.",
        "mirror_axes": "Average over mirror images along these axes; none whose labels name a side.",
        "threads": "Math threads of one prediction job. Part of the experiment.",
        "instructions": "As `train.instructions`, for predictions. Part of the experiment.",
        "keep_probabilities": (
            "Keep each label's probability beside the label maps, in 8 bits: calibration and uncertainty are "
            "measured from them."
        ),
    },
    "Preprocess": {
        "spacing": (
            "Target voxel size: `median` (nnU-Net's rule), `original` (no resampling), or mm per axis as [x, y, z]. "
            "2-D pictures have no physical size and should keep `original`."
        ),
        "normalisation": (
            "`zscore` (per case), `ct` (clip to the training cases' foreground percentiles 0.5 and 99.5, then their "
            "z-score; learnt per fold), `minmax` (per case to 0..1), `none`; one for all channels or a list with "
            "one a channel. `auto`: ct where dataset.json says CT, otherwise zscore."
        ),
        "crop_nonzero": "Crop to the box of non-zero voxels of any channel.",
        "image_order": "Spline order for resampling images.",
        "label_order": (
            "Spline order for resampling each label's indicator. By cubic splines small structures keep their "
            "volume; 1 is nnU-Net's, with which they shrink."
        ),
        "anisotropy": (
            "A case whose coarsest spacing is over this many times the finest is a thick-slice case: resampled in "
            "plane first, then by nearest neighbour across slices."
        ),
        "shards": "Into how many jobs the cases are divided; no result depends on it.",
    },
    "Report": {
        "title": "Title of the report.",
        "language": "Language of the report: English, or Chinese in simplified characters.",
        "cases": "How many worst, median and best cases are pictured a method.",
        "viewer_mb": (
            "Size in MB of the images and outlines to scroll through in the report. The worst, median and best "
            "cases go in first, then the worst of the rest, as many as fit; up to 10 also no more than keeps the "
            "page under 10 MB; 0: none."
        ),
    },
    "Split": {
        "kind": (
            "`grouped`: folds by patient, stratified by foreground. `kfold`: scikit-learn's KFold(folds, "
            "shuffle=True, random_state=seed) on the sorted case ids, as published folds are made. `file`: your "
            "own, see `file`."
        ),
        "folds": "Number of folds k; 1, a single training and test split, with kind `file` alone.",
        "repeats": "How often the k-fold split is drawn anew; repeat r uses seed + r.",
        "run_folds": "Which folds to run, counted from 0 over all repeats; `all` or a list such as [0].",
        "test_fraction": (
            "Share of patients held out of all folds as a test set, predicted by the mean of the folds' models."
        ),
        "file": (
            'JSON file for kind `file`: {"folds": [{"train": [cases], "test": [cases]}, ...], "holdout": '
            '[cases]}, one split {"train": [cases], "test": [cases]}, or nnU-Net\'s splits_final.json.'
        ),
        "seed": "Seed of the split.",
    },
    "Loss": {
        "kind": (
            "`ce` (cross-entropy), `dice` (soft Dice over the foreground labels), `ce_dice` (their sum), `focal`, "
            "`focal_dice` (its sum with soft Dice), `tversky`, `focal_tversky`, `generalised_dice`, `boundary` "
            "(with generalised Dice), `cldice` (with soft Dice, for thin structures); docs/reference/losses.md."
        ),
        "class_weights": "Weight of each label in the cross-entropy, background first; null: all 1.",
        "batch_dice": "Dice over the whole batch rather than case by case.",
        "smooth": "Added to numerator and denominator of the soft Dice.",
        "focal_gamma": "Of focal losses: how little a voxel counts that is predicted well; 0: not less.",
        "tversky_alpha": "Of Tversky losses: weight of false positives.",
        "tversky_beta": "Of Tversky losses: weight of false negatives.",
        "tversky_gamma": "Of focal_tversky: over 1, a label that is predicted badly counts more.",
        "boundary_weight": "Of boundary: its share at the end of training; it rises evenly from 0.",
        "cldice_weight": "Of cldice: its share beside soft Dice.",
        "cldice_iterations": "Of cldice: steps of the soft skeleton, half the structures' width in voxels or more.",
    },
    "Train": {
        "seed": "Seed of initial weights, case order, patches and augmentation.",
        "threads": "Math threads of one training job. Part of the experiment: another number gives other bytes.",
        "instructions": (
            "Processor instructions of oneDNN, which does a network's convolutions. `avx2`: the same on every "
            "x86-64 processor that has AVX2; `native`: all that the processor has, faster where that is AVX-512, "
            "with other bytes on another kind of processor. Part of the experiment."
        ),
        "precision": (
            "Arithmetic of the network; weights stay float32. `bfloat16` needs `instructions: native` here and "
            "under `predict`."
        ),
        "epochs": "Number of epochs.",
        "samples_per_epoch": "Patches an epoch; null: one a training case.",
        "batch_size": "Patches a step.",
        "patch": "Patch size in voxels, one number an axis; `auto`: planned from the fingerprint.",
        "foreground_fraction": "Share of the patches that are centred on a foreground voxel, of a label drawn evenly.",
        "loss": "What the training minimises.",
        "deep_supervision": (
            "Loss at every resolution of the decoder but the coarsest, weights 1/2^i; a network of under 4 stages "
            "has one such resolution and refuses it."
        ),
        "optimizer": "`sgd` is with Nesterov momentum; `muon` takes AdamW for biases and the last layer.",
        "learning_rate": "Peak learning rate.",
        "weight_decay": "For adamw and muon decoupled; for sgd and adam added as an L2 gradient.",
        "momentum": "Of sgd.",
        "clip_norm": "Largest norm of the gradient over all weights; null: no limit.",
        "schedule": "Learning rate over the steps; polynomial has exponent 0.9; cosine ends at 0.",
        "warmup_epochs": "Linear warm-up from 0, in epochs, for every schedule.",
        "initializer": "Initial weights: He 2015, Glorot (Xavier) 2010, or Gaussian with standard deviation 0.02.",
        "averaging": "Decay of the exponential moving average of the weights that is kept as the model; 0: none.",
        "validation_fraction": (
            "Share of the training patients set aside as inner validation; they teach the network nothing. 0: none."
        ),
        "validation_seed": "Seed of the inner validation: networks of other seeds so still share it, fold by fold.",
        "validate_every": "Epochs between inner validations.",
        "early_stopping": (
            "Stop after this many inner validations without a better Dice and keep the best weights; null: the "
            "whole budget."
        ),
    },
    "Adversarial": {
        "kind": "U-Net against a discriminator.",
        "adversarial_weight": "Weight of deceiving the discriminator, beside the loss of `train`.",
        "discriminator_features": "First feature maps of the discriminator.",
        "discriminator_rate": "Its constant learning rate (Adam).",
    },
    "Atlas": {
        "kind": "Mean shape of the training labels.",
        "nodes": "Points of the atlas along each axis.",
        "align": "`image`: images are stretched to one size; `centre`: laid upon each other by their middles.",
    },
    "AttentionUNet": {
        "kind": "Attention U-Net.",
    },
    "CNN": {
        "kind": "Plain CNN.",
        "features": "Feature maps of the two convolutions.",
        "dense": "Units of the dense layer, a convolution of size 1.",
    },
    "ConvLSTMUNet": {
        "kind": "U-Net with ConvLSTM across slices.",
        "dimension": "Volumes alone: 3, or `auto` where the data are.",
    },
    "DeepLab": {
        "kind": "DeepLabV3+.",
        "stages": "Resolutions of the encoder; `auto`: 3, or as many as `widths` has.",
        "dilations": "Steps between the taps of the pyramid's convolutions, in coarse voxels.",
    },
    "Ensemble": {
        "kind": "Mean of other methods.",
        "members": "Names of the methods; each counts alike.",
    },
    "External": {
        "kind": "Another program's label maps.",
        "folder": (
            "Folder of the files `<case>.nii.gz` (or `.nii`, `.nrrd`, `.mha`, `.mgz`; in 2-D `.png`, `.tif` or "
            "`.tiff`), or with a folder "
            "each fold, `fold_<k>/` or nnU-Net's `fold_<k>/validation/`; for the held-out cases `holdout/`."
        ),
        "program": "What made them, for the report.",
        "values": "Value of each label in these files, background first; null: the data set's own.",
    },
    "GraphCut": {
        "kind": "Markov random field on a random forest.",
        "smoothness": "Weights of the neighbourhood to try; one is chosen on the training side.",
        "contrast": "How much less a border costs at an edge of the image; 0: the same everywhere.",
    },
    "MissingChannels": {
        "kind": "Images that lack channels.",
        "of": "Name of the method.",
        "channels": "Channels that are missing, counted from 0.",
    },
    "Network": {
        "dimension": "2: slice by slice across z; 3: volumes; `auto`: the data's.",
        "train": "What differs from the section `train`, for this method.",
        "augment": "What differs from the section `augment`, for this method.",
    },
    "Staged": {
        "features": "Feature maps of the first stage; doubled at each one.",
        "max_features": "Most feature maps at any stage.",
        "widths": (
            "Feature maps of each stage, finest first, in place of `features` and `max_features`; there are as many "
            "stages as numbers. The finest stage takes most of the time: make it narrow, and the others wide."
        ),
        "stages": "Resolutions; `auto`: planned from patch and spacing by nnU-Net's rule.",
        "normalisation": "Normalisation layer; `group` has 8 groups, so features must be a multiple of 8.",
    },
    "Postprocessing": {
        "kind": "Tidied label maps.",
        "of": "Name of the method.",
        "largest_component": "Whether to try keeping a label's largest component alone.",
        "fill_holes": "Whether to try filling holes within a label that are background.",
        "min_size": (
            "Sizes to try below which components vanish, in mm³ (2-D: mm²); `auto`: of 5, 20 and 100 voxels (the "
            "median of the cases on which is chosen)."
        ),
        "min_gain": "Least gain in mean Dice for which an operation is taken over doing less.",
    },
    "Prediction": {
        "kind": "The same models, predicting in another way.",
        "of": "Name of the method, a network or made from networks.",
        "predict": "What differs from the section `predict`.",
    },
    "RandomForest": {
        "kind": "Random forest on voxel features.",
    },
    "RegionGrowing": {
        "kind": "Regions grown from automatic seeds.",
        "tolerances": (
            "Distances from the seeds' mean, in their standard deviations, to try; one is chosen on the training cases."
        ),
    },
    "ResidualUNet": {
        "kind": "Residual U-Net.",
        "blocks": "Residual blocks a stage of the encoder; the decoder has one.",
    },
    "Seeded": {
        "channel": "Channel that is looked at from the seeds on, counted from 0.",
        "certainty": "Probability by intensity and place from which on a voxel is a seed.",
    },
    "SegResNetVAE": {
        "kind": "Encoder-decoder with a VAE branch.",
        "latent": "Random numbers of the code at each voxel of its grid.",
        "vae_weight": "Weight of the two losses of the VAE branch.",
    },
    "SVM": {
        "kind": "Support vector machine on voxel features.",
        "cost": "What a voxel on the wrong side costs (C).",
        "gamma": "Sharpness of the kernel, over the number of features: 1 is scikit-learn's.",
        "landmarks": "Voxels in the place of all support vectors.",
    },
    "Threshold": {
        "kind": "Multi-level Otsu.",
        "channel": "Channel that is thresholded, counted from 0.",
        "classes": "Intensity classes.",
    },
    "TransUNet": {
        "kind": "U-Net with a transformer at its coarsest stage.",
        "blocks": "Transformer blocks.",
        "heads": "Attention heads; the coarsest stage's width is a multiple of it.",
        "expansion": "Width of a block's hidden layer, in widths of the stage.",
    },
    "UNet": {
        "kind": "U-Net.",
        "convolutions": "Convolutions a stage.",
        "dropout": "Dropout at the coarsest stage.",
        "fusion": (
            "Of several channels. `early`: all go into the first convolution. `late`: an encoder for each, their "
            "features joined by a convolution of size 1 at every resolution."
        ),
    },
    "UNetPlusPlus": {
        "kind": "U-Net++.",
        "convolutions": "Convolutions a node.",
    },
    "Voxels": {
        "samples": "Voxels of each training case that teach it.",
        "balance": "0: each label weighs as its voxels are many; 1: all labels weigh the same.",
        "sigmas": "Scales of the features in voxels: smoothed intensity, gradient, Hessian.",
        "position": "Whether the place in the image is a feature.",
        "seed": "Seed of the sample and of the classifier.",
    },
    "Forested": {
        "trees": "Trees of the forest.",
        "depth": "Most questions on the way to a leaf.",
        "leaf": "Least voxels in a leaf.",
    },
    "Watershed": {
        "kind": "Edges and watershed from automatic seeds.",
        "sigmas": (
            "Standard deviations in voxels of the Gaussian whose gradient is flooded, to try; one is chosen on the "
            "training cases."
        ),
    },
}


def of(section: type[Section], key: str) -> str:
    """The description of one key of a section; empty where it has none."""
    if own := section.model_fields[key].description:
        return own
    known = section.section if issubclass(section, Changes) else section
    texts = (TEXTS.get(c.__name__, {}).get(key) for c in known.__mro__)
    return next((text for text in texts if text), "")


def all_of(section: type[Section], prefix: str = "") -> dict[str, str]:
    """{dotted key: description} of a section and of those within it."""
    return dict(_each(section, prefix))


def _each(section: type[Section], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        yield prefix + name, of(section, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _each(field.annotation, f"{prefix}{name}.")
