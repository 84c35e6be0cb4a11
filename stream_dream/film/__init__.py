"""Renders of video files: in one piece, or long ones chunk by chunk on several workers."""
