"""`python -m bench [NAME ...]`: run the named benchmarks, or all; `--list` says which there are."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
from types import ModuleType

import bench

NOT_BENCHMARKS = {"__main__", "alone", "donations", "fundraiser", "measure"}


def main() -> None:
    """Run what the command line names."""
    benchmarks = {
        module.name: importlib.import_module(f"bench.{module.name}")
        for module in pkgutil.iter_modules(bench.__path__)
        if module.name not in NOT_BENCHMARKS
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run benchmarks and print their tables.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; all without a name")
    parser.add_argument("--list", action="store_true", help="say which there are, and run none")
    options = parser.parse_args()
    if unknown := set(options.names) - set(benchmarks):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are: {', '.join(benchmarks)}")
    if options.list:
        for name, module in benchmarks.items():
            print(f"{name:12} {title(module)}")
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for name in options.names or benchmarks:
        print(f"## {name}: {title(benchmarks[name])}\n\n{benchmarks[name].run()}\n", flush=True)


def title(module: ModuleType) -> str:
    """Give the first line of a benchmark's docstring."""
    return (module.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    main()
