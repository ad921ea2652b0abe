"""`orchestrator secret`: lists, hands out and rotates secrets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.asking import require_yes
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import AgencyId, NoFollow, Wishes, Yes
from orchestrator.entrypoints.cli.ordering import finish_open_run, follow
from orchestrator.entrypoints.cli.output import AsJson, console, print_json
from orchestrator.files import write_new_file

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application

app = typer.Typer(no_args_is_help=True, help="List, hand out and rotate secrets.")


@app.command("list")
def list_secrets(
    agency: Annotated[str | None, typer.Argument(help="Only this agency's.", metavar="AGENCY")] = None,
    as_json: AsJson = False,
) -> None:
    """Show secrets, their age, and when certificates expire. Never shows their values.

    Example: orchestrator secret list cabinet-office
    """
    from orchestrator.entrypoints.cli.showing_secrets import show_secrets

    with application() as app:
        views, now = app.keys.renewing.listed(agency), app.base.clock.now()
    if as_json:
        print_json({"secrets": [view.model_dump(mode="json") for view in views]})
    else:
        show_secrets(views, now)


@app.command("hand-out")
def hand_out(
    agency: AgencyId,
    component: Annotated[str, typer.Argument(help="The service they log in to.", metavar="COMPONENT")],
    person: Annotated[str, typer.Argument(help="Their name, as the call-off has it.", metavar="PERSON")],
    file: Annotated[Path, typer.Argument(help="The file to create; it must not exist.", metavar="FILE")],
) -> None:
    """Write what a person logs in with to a file that only you can read: the password and, if the service wants
    one-time codes, the otpauth: address that sets up an authenticator app.

    Example: orchestrator secret hand-out cabinet-office flexible-working user1 /dev/shm/user1
    """
    with application() as app:
        write_new_file(file, app.keys.handing_out.credentials(agency, component, person).text)
    console.print(f"Written: {file}. Remove it when {person} has it.")


@app.command()
def rotate(
    agency: Annotated[
        str | None,
        typer.Argument(help="Whose secrets. Default: the key that seals them all.", metavar="AGENCY"),
    ] = None,
    component: Annotated[str | None, typer.Argument(help="Only this component's.", metavar="COMPONENT")] = None,
    name: Annotated[str | None, typer.Argument(help="Only the secret of this name.", metavar="NAME")] = None,
    copied: Annotated[bool, typer.Option("--copied", help="The new key file is on every machine; continue.")] = False,
    site: Annotated[
        str | None, typer.Option("--site", help="The SSH key for this site's hosts.", metavar="SITE")
    ] = None,
    evidence: Annotated[bool, typer.Option("--evidence", help="The key that signs evidence.")] = False,
    yes: Yes = False,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Replace secrets with new ones. If interrupted, run it again to resume.

    With AGENCY: its services are provisioned and verified with new secrets, then the old ones are deleted.

    Without: a new key seals every secret, and the old key is deleted.

    With --site: the site's hosts get a new key; once all of them accept it, the old one is revoked.

    With --evidence: a new key signs evidence; what the old one signed stays valid.

    On PostgreSQL, keys that other machines share are rotated in two parts: copy the key file to every machine when
    told to, then run the command again with --copied.

    Example: orchestrator secret rotate cabinet-office desktop users_password
    """
    _refuse_two([agency is not None, site is not None, evidence])
    with application() as app:
        if site is not None:
            _rotate_site(app, site, copied=copied, as_json=as_json)
            return
        if evidence:
            app.evidence.rotate()
            _tell_signing_key(app, as_json=as_json)
            return
        if agency is None:
            _rotate_key(app, copied=copied, as_json=as_json)
            return
        named = app.keys.renewing.named(agency, component, name)
        begun = [view for view in named if view.replaced]
        if not yes and not begun:
            console.print("\n".join(f"  {view.component} {view.name}" for view in named))
            require_yes(f"Replace the secrets of {agency}? You must give its users the new passwords.")
        wishes = Wishes(no_follow=no_follow, as_json=as_json)
        if begun:
            finish_open_run(app, agency, wishes)
        if begun != named or any(view.replaced for view in app.keys.renewing.named(agency, component, name)):
            app.keys.renewing.propose(agency, component, name)
            follow(app, app.keys.renewing.open_run(agency), wishes)
        elif as_json:
            print_json({"run": None, "steps": []})


def _refuse_two(asked: list[bool]) -> None:
    if sum(asked) > 1:
        raise OrchestratorError(
            Kind.INVALID,
            "only one kind of secret can be rotated at a time",
            hint="give AGENCY, --site or --evidence, or none of them for the key that seals secrets",
        )


def _rotate_site(app: "Application", site: str, *, copied: bool, as_json: bool) -> None:
    done = app.keys.rekeying.rotate(site, many=app.base.many_machines, copied=copied)
    key = app.base.access_of(site).key
    if as_json:
        print_json({"site": site, "finished": done, "key_file": str(key)})
    elif done:
        console.print(f"The hosts of {site} accept the new key and no longer the old one. Back up {key}.")
    else:
        console.print(
            f"The hosts of {site} accept both the new key and the old one. Copy {key} to every machine, then run:"
        )
        console.print(f"orchestrator secret rotate --site {site} --copied")


def _tell_signing_key(app: "Application", *, as_json: bool) -> None:
    key, keys = app.settings.signing_key_file, app.settings.signing_keys_file
    if as_json:
        print_json({"key_file": str(key), "keys_file": str(keys)})
        return
    console.print(f"A new key, {key}, signs evidence; back it up together with {keys}.")
    if app.base.many_machines:
        console.print("Copy both to every machine's state directory within a day: until then the old key signs too.")
    console.print("Everybody who verifies evidence needs the new list of keys: orchestrator drill key --all")


def _rotate_key(app: "Application", *, copied: bool, as_json: bool) -> None:
    made, file = app.keys.rotating.begin(), app.settings.key_file
    waits = app.base.many_machines and (made or not copied)
    resealed = None if waits else app.keys.rotating.finish()
    if as_json:
        print_json({"begun": made, "finished": not waits, "resealed": resealed})
    elif waits:
        console.print(
            f"{file} holds both the new key and the old one. Copy it to every machine's state directory, then run:"
        )
        console.print("orchestrator secret rotate --copied")
    else:
        console.print(f"A new key seals {resealed:,} secrets, and the old one opens nothing any more. Back up {file}.")
