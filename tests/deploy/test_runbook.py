import re
from pathlib import Path

from click.testing import CliRunner

from tests.deploy.terraform_files import resources, variables
from worker.cli.root import COMMANDS, root

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")


def test_every_command_of_ours_exists() -> None:
    """Each `colony …` that the runbook tells to run is a command, with the sub-command and the options it is given."""
    told = re.findall(r"(?:`|bin/)colony ([a-z-]+)(?: ([a-z-]+))?([^`\n]*)", TEXT)

    assert len(told) > 20
    for command, second, rest in told:
        assert command in COMMANDS, command
        words = [command, second] if second and second in _subcommands(command) else [command]
        shown = CliRunner().invoke(root, [*words, "--help"]).output
        for option in re.findall(r"(--[a-z-]+)", rest.split("&&")[0]):
            assert option in shown, f"colony {' '.join(words)} has no {option}"


def _subcommands(command: str) -> set[str]:
    shown = CliRunner().invoke(root, [command, "--help"]).output
    return set(re.findall(r"(?m)^  ([a-z-]+)  ", shown.partition("Commands:")[2]))


def test_every_file_that_it_names_is_there() -> None:
    """Paths below the repository exist, and the files that the reader makes are made of ones that do."""
    for name in set(re.findall(r"`?((?:deploy|tests)/[A-Za-z0-9_./-]+[a-z])", TEXT)):
        assert (ROOT / name).exists(), name
    for name in ("backend.tf.example", "terraform.tfvars.example"):
        assert (ROOT / "deploy" / "terraform" / name).exists()


def test_what_it_names_of_terraform_is_there() -> None:
    """Variables, outputs and resources of the runbook are Terraform's."""
    for name in ("image", "worker", "api_emails", "api_audience", "api_invokers", "online_store", "serving", "secrets"):
        assert f"`{name}" in TEXT
        assert name in variables()
    assert "google_cloud_run_v2_worker_pool.worker" in {f"{each.type}.{each.name}" for each in resources()}


def test_what_was_not_run_is_said() -> None:
    """Nobody takes for tried what was not."""
    assert "None of this has been run against the live services yet" in TEXT
    assert "not looked up" in TEXT
