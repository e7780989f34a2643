"""Published scores: PSNR in dB and SSIM on Y, as their authors report them.

Sources: Table 1 of the GLA-Net paper for RCAN to GLA-Net, the methods' own papers for the rest.
Rows before RCAN are sorted by Set5. Rows after GLA-Net are of 2024 and 2025, light networks with
fewer than a million parameters. All rows follow the protocol of ``metrics``, with one exception:
older tables do not convert ``bridge``, the only greyscale image of Set14, to Y, which lowers their
Set14 scores by 0.09 dB.
"""

from glanet import networks

SETS = ("Set5", "Set14", "B100", "Urban100", "Manga109")

# method, trained on ("291": T91 and BSDS200), then PSNR and SSIM for each of SETS; "-": not known
_TABLES = {
    2: """
        bicubic      -      33.66 .9299  30.24 .8688  29.56 .8431  26.88 .8403      -      -
        SRCNN        -      36.66 .9542  32.45 .9067  31.36 .8879  29.50 .8946  35.60 .9663
        LapSRN       291    37.52 .9591  32.99 .9124  31.80 .8952  30.41 .9103  37.27 .9740
        VDSR         291    37.53 .9587  33.03 .9124  31.90 .8960  30.76 .9140  37.22 .9750
        DRRN         291    37.74 .9591  33.23 .9136  32.05 .8973  31.23 .9188  37.88 .9749
        MemNet       291    37.78 .9597  33.28 .9142  32.08 .8978  31.31 .9195      -      -
        IDN          291    37.83 .9600  33.30 .9148  32.08 .8985  31.27 .9196      -      -
        IMDN         DIV2K  38.00 .9605  33.63 .9177  32.19 .8996  32.17 .9283  38.88 .9774
        EDSR         DIV2K  38.11 .9602  33.92 .9195  32.32 .9013  32.93 .9351  39.10 .9773
        SwinIR-light DIV2K  38.14 .9611  33.86 .9206  32.31 .9012  32.76 .9340  39.12 .9783
        RNAN         DIV2K  38.17 .9611  33.87 .9207  32.32 .9014  32.73 .9340  39.23 .9785
        CSNLN        DIV2K  38.28 .9616  34.12 .9223  32.40 .9024  33.25 .9386  39.37 .9785
        RCAN         DIV2K  38.27 .9614  34.12 .9216  32.41 .9027  33.34 .9384  39.44 .9786
        SAN          DIV2K  38.31 .9620  34.07 .9213  32.42 .9028  33.10 .9370  39.32 .9792
        IGNN         DIV2K  38.24 .9613  34.07 .9217  32.41 .9025  33.23 .9383  39.35 .9786
        HAN          DIV2K  38.27 .9614  34.16 .9217  32.41 .9027  33.35 .9385  39.46 .9785
        NLSA         DIV2K  38.34 .9618  34.08 .9231  32.43 .9027  33.42 .9394  39.59 .9789
        SwinIR       DIV2K  38.35 .9620  34.14 .9227  32.44 .9030  33.40 .9393  39.60 .9792
        GLA-Net      DIV2K  38.37 .9620  34.34 .9236  32.48 .9034  33.62 .9412  39.61 .9789
        HiT-SRF      DIV2K  38.26 .9615  34.01 .9214  32.37 .9023  33.13 .9372  39.47 .9787
        ATD-light    DIV2K  38.29 .9616  34.10 .9217  32.39 .9023  33.27 .9375  39.52 .9789
        ESC          DIV2K  38.35 .9619  34.11 .9223  32.41 .9027  33.46 .9395  39.54 .9790
        PFT-light    DIV2K  38.36 .9620  34.20 .9233  32.43 .9030  33.67 .9411  39.55 .9792
    """,
    3: """
        bicubic      -      30.39 .8682  27.55 .7742  27.21 .7385  24.46 .7349      -      -
        SRCNN        -      32.75 .9090  29.28 .8209  28.41 .7863  26.24 .7989      -      -
        VDSR         291    33.66 .9213  29.77 .8314  28.82 .7976  27.14 .8279      -      -
        DRRN         291    34.03 .9244  29.96 .8349  28.95 .8004  27.53 .8378      -      -
        IDN          291    34.11 .9253  29.99 .8354  28.95 .8013  27.42 .8359  32.71 .9381
        IMDN         DIV2K  34.36 .9270  30.32 .8417  29.09 .8046  28.17 .8519  33.61 .9445
        SwinIR-light DIV2K  34.62 .9289  30.54 .8463  29.20 .8082  28.66 .8624  33.98 .9478
    """,
    4: """
        bicubic      -      28.42 .8104  26.00 .7027  25.96 .6675  23.14 .6577      -      -
        SRCNN        -      30.48 .8628  27.50 .7513  26.90 .7101  24.52 .7221  27.58 .8555
        VDSR         291    31.35 .8838  28.01 .7674  27.29 .7251  25.18 .7524  28.83 .8870
        DRRN         291    31.68 .8888  28.21 .7720  27.38 .7284  25.44 .7638      -      -
        MemNet       291    31.74 .8893  28.26 .7723  27.40 .7281  25.50 .7630      -      -
        IMDN         DIV2K  32.21 .8948  28.58 .7811  27.56 .7353  26.04 .7838  30.45 .9075
        SwinIR-light DIV2K  32.44 .8976  28.77 .7858  27.69 .7406  26.47 .7980  30.92 .9151
        EDSR         DIV2K  32.46 .8968  28.80 .7876  27.71 .7420  26.64 .8033  31.02 .9148
        RNAN         DIV2K  32.49 .8982  28.83 .7878  27.72 .7421  26.61 .8023  31.09 .9149
        CSNLN        DIV2K  32.68 .9004  28.95 .7888  27.80 .7439  27.22 .8168  31.43 .9201
        RCAN         DIV2K  32.63 .9002  28.87 .7889  27.77 .7436  26.82 .8087  31.22 .9173
        SAN          DIV2K  32.64 .9003  28.92 .7888  27.78 .7436  26.79 .8068  31.18 .9169
        IGNN         DIV2K  32.57 .8998  28.85 .7891  27.77 .7434  26.84 .8090  31.28 .9182
        HAN          DIV2K  32.64 .9002  28.90 .7890  27.80 .7442  26.85 .8094  31.42 .9177
        NLSA         DIV2K  32.59 .9000  28.87 .7891  27.78 .7444  26.96 .8109  31.27 .9184
        SwinIR       DIV2K  32.72 .9021  28.94 .7914  27.83 .7459  27.07 .8164  31.67 .9226
        GLA-Net      DIV2K  32.77 .9026  29.00 .7931  27.86 .7469  27.13 .8178  31.77 .9236
        HiT-SRF      DIV2K  32.55 .8999  28.87 .7880  27.75 .7432  26.80 .8069  31.26 .9171
        ESC          DIV2K  32.68 .9011  28.93 .7902  27.80 .7447  27.07 .8144  31.54 .9207
        PFT-light    DIV2K  32.63 .9002  28.97 .7899  27.78 .7442  27.20 .8171  31.51 .9204
    """,
}


# Thousands of parameters at each scale, of the networks that are not in the register: VDSR to IMDN
# from the table of IMDN's paper, SRCNN 9-5-5 and EDSR counted, the rest from their own papers. The
# literature disagrees on LapSRN's.
_THOUSANDS = {
    "SRCNN": {2: 57, 3: 57, 4: 57},
    "VDSR": {2: 666, 3: 666, 4: 666},
    "DRRN": {2: 298, 3: 298, 4: 298},
    "MemNet": {2: 678, 4: 678},
    "IDN": {2: 553},
    "IMDN": {2: 694, 3: 703, 4: 715},
    "EDSR": {2: 40_730, 4: 43_090},
    "HiT-SRF": {2: 847, 4: 866},
    "ATD-light": {2: 753},
    "ESC": {2: 947, 4: 968},
    "PFT-light": {2: 776, 4: 792},
}

_ROWS = {"NLSN": "NLSA"}  # titles of the register that are called otherwise in Table 1


def row_of(config) -> str | None:
    """The name of the row that released weights of this config should reproduce.

    None if the published network of its kind has another size.
    """
    network = networks.find(config.network)
    if config != network.config.preset("paper", config.scale):
        return None
    return _ROWS.get(network.title, network.title)


def parameters(method: str, scale: int) -> int | None:
    """The number of parameters of a method of `published`; None if it has none or is not known.

    Networks of the register are counted, other numbers are thousands of a publication.
    """
    for network in networks.NETWORKS.values():
        if _ROWS.get(network.title, network.title) == method:
            return networks.count_parameters(network.config.preset("paper", scale))
    thousands = _THOUSANDS.get(method, {}).get(scale)
    return thousands and 1000 * thousands


def published(scale: int) -> list[tuple[str, str, dict[str, tuple[float, float]]]]:
    """Rows of published scores at ``scale``: (method, trained on, {set: (PSNR in dB, SSIM)}).

    "trained on" is "-" if nothing was trained or the data is not known. A row lacks the sets that
    its method does not report. Without published scores at ``scale``, the list is empty.
    """
    rows = []
    for line in _TABLES.get(scale, "").strip().splitlines():
        method, trained_on, *numbers = line.split()
        pairs = zip(SETS, numbers[::2], numbers[1::2], strict=True)
        scores = {name: (float(p), float(s)) for name, p, s in pairs if p != "-"}
        rows.append((method, trained_on, scores))
    return rows
