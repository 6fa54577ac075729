"""Serve the API of one service: `serve.py MODULE PORT`."""

import importlib
import sys

import waitress

module, port = sys.argv[1:]
sys.argv = [module]  # the services read options from there
waitress.serve(importlib.import_module(module).application, listen=f"0.0.0.0:{port}", threads=8, ident=None)
