"""Tests of what we do in a cloud, against a real OpenStack whose hypervisor is a fake."""
