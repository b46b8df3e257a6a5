"""The names `worker`, `handlers` and `config` are ours alone: such common ones may be another package's, too."""

from importlib.metadata import PackageNotFoundError, packages_distributions, version

from worker.errors import Rejected

DISTRIBUTION = "colony-mlops"


def code_version() -> str:
    """Return the version of this program."""
    return version(DISTRIBUTION)


def check_packages() -> None:
    """Check that our packages have one owner.

    Raises:
        Rejected: another distribution installs one of the names, or ours is not installed.
    """
    owners = packages_distributions()
    for name in ("worker", "handlers", "config"):
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if others:
            mend = f"install {DISTRIBUTION} into a virtual environment of its own"
            raise Rejected(
                f"the package {name!r} is also installed by {', '.join(others)}", field="environment", mend=mend
            )
    try:
        code_version()
    except PackageNotFoundError as error:
        mend = "run `pip install -e .`"
        raise Rejected(f"{DISTRIBUTION} is not installed", field="environment", mend=mend) from error
