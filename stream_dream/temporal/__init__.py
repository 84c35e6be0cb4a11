"""Temporal coherence of dreams: optical flow, cuts, the carried residual."""
