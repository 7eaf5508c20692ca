"""Runs one case: `run.py MODULE FUNCTION`. Each case is a rule of AWS that moto does not keep by itself."""

import importlib
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
module, function = sys.argv[1:]
getattr(importlib.import_module(module), function)()
