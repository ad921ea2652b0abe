"""The program that changes a host's authorized keys: its effect on the lines of a file."""

from orchestrator.adapters.authorized_keys import added, removed

KNOWN, ANOTHER = "ssh-ed25519 AAAAold", "ssh-rsa AAAAnew"
LINES = [
    "# ssh-ed25519 AAAAold is ours",
    "ssh-ed25519 AAAAolder somebody@else",
    'from="10.0.0.0/8",no-pty ssh-ed25519 AAAAold provider',
    "",
]


def test_a_key_is_added_after_the_known_one_with_the_same_options() -> None:
    assert added(LINES, KNOWN, ANOTHER) == [*LINES[:3], 'from="10.0.0.0/8",no-pty ssh-rsa AAAAnew provider', ""]
    assert added(["ssh-ed25519 AAAAold"], KNOWN, ANOTHER) == ["ssh-ed25519 AAAAold", "ssh-rsa AAAAnew"]


def test_a_key_that_is_already_there_is_not_added_again() -> None:
    once = added(LINES, KNOWN, ANOTHER)
    assert added(once, KNOWN, ANOTHER) == once
    assert added(["ssh-ed25519 AAAAolder x"], KNOWN, ANOTHER) == ["ssh-ed25519 AAAAolder x"]


def test_only_the_known_key_is_removed() -> None:
    assert removed(added(LINES, KNOWN, ANOTHER), KNOWN) == [
        *LINES[:2],
        'from="10.0.0.0/8",no-pty ssh-rsa AAAAnew provider',
        "",
    ]
