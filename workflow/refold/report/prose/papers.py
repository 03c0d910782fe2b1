"""The papers that the report cites, by their keys; those of a kind of method stand in its own file."""

from __future__ import annotations

REFERENCES = {
    "msd": "Antonelli M et al. The Medical Segmentation Decathlon. Nature Communications 13, 4128, 2022.",
    "nnunet": "Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image "
    "segmentation. Nature Methods 18, 203-211, 2021.",
    "dice_loss": "Milletari F, Navab N, Ahmadi S-A. V-Net: fully convolutional neural networks for volumetric medical "
    "image segmentation. 3DV 2016.",
    "generalised_dice": "Sudre CH et al. Generalised Dice overlap as a deep learning loss function for highly "
    "unbalanced segmentations. Deep Learning in Medical Image Analysis, 2017.",
    "focal": "Lin T-Y et al. Focal loss for dense object detection. ICCV 2017.",
    "tversky": "Salehi SSM, Erdogmus D, Gholipour A. Tversky loss function for image segmentation using 3D fully "
    "convolutional deep networks. Machine Learning in Medical Imaging, 2017.",
    "focal_tversky": "Abraham N, Khan NM. A novel focal Tversky loss function with improved attention U-Net for lesion "
    "segmentation. ISBI 2019.",
    "boundary": "Kervadec H et al. Boundary loss for highly unbalanced segmentation. MIDL 2019.",
    "cldice": "Shit S et al. clDice: a novel topology-preserving loss function for tubular structure segmentation. "
    "CVPR 2021.",
    "adam": "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015.",
    "adamw": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019.",
    "muon": "Jordan K et al. Muon: an optimizer for hidden layers in neural networks. 2024. "
    "https://kellerjordan.github.io/posts/muon/",
    "moonlight": "Liu J et al. Muon is scalable for LLM training. arXiv:2502.16982, 2025.",
    "cosine": "Loshchilov I, Hutter F. SGDR: stochastic gradient descent with warm restarts. ICLR 2017.",
    "he": "He K et al. Delving deep into rectifiers. ICCV 2015.",
    "glorot": "Glorot X, Bengio Y. Understanding the difficulty of training deep feedforward neural networks. "
    "AISTATS 2010.",
    "nsd": "Nikolov S et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. "
    "Journal of Medical Internet Research 23(7), e26151, 2021.",
    "metrics": "Maier-Hein L et al. Metrics reloaded: recommendations for image analysis validation. "
    "Nature Methods 21, 195-212, 2024.",
    "panoptic": "Kirillov A et al. Panoptic segmentation. CVPR 2019.",
    "agreement": "Bland JM, Altman DG. Measuring agreement in method comparison studies. Statistical Methods in "
    "Medical Research 8, 135-160, 1999.",
    "concordance": "Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics 45, 255-268, "
    "1989.",
    "ece": "Naeini MP, Cooper GF, Hauskrecht M. Obtaining well calibrated probabilities using Bayesian binning. AAAI "
    "2015.",
    "brier": "Brier GW. Verification of forecasts expressed in terms of probability. Monthly Weather Review 78, 1-3, "
    "1950.",
    "selective": "El-Yaniv R, Wiener Y. On the foundations of noise-free selective classification. Journal of Machine "
    "Learning Research 11, 1605-1641, 2010.",
    "bootstrap": "Efron B, Tibshirani RJ. An introduction to the bootstrap. Chapman & Hall, 1993.",
    "studentised": "Hall P. Theoretical comparison of bootstrap confidence intervals. Annals of Statistics 16, "
    "927-953, 1988.",
    "wilson": "Wilson EB. Probable inference, the law of succession, and statistical inference. Journal of the "
    "American Statistical Association 22, 209-212, 1927.",
    "effective": "Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of positive "
    "counts estimated from survey data. Survey Methodology 24, 193-201, 1998.",
    "wilcoxon": "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bulletin 1, 80-83, 1945.",
    "permutation": "Phipson B, Smyth GK. Permutation p-values should never be zero. Statistical Applications in "
    "Genetics and Molecular Biology 9, 39, 2010.",
    "holm": "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, "
    "65-70, 1979.",
}
