"""Between browsers and the hub: what JupyterHub leaves to its operator."""
