"""Known weaknesses, measured: ``llmos eval --suite hallucination|reversal|bits|calibration``.

Each suite is a function of a system (or of its model) and gives a :class:`~llmos.training.suites.measured.Measured`.
"""
