"""What makes a stream of dreams coherent: optical flow, shots, the carried residual."""
