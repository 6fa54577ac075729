"""Tests of deployments, on machines that boot."""
