"""`leakear-edge setup`: asks, tries, writes a configuration and sends a test alert."""

import argparse
import signal
from pathlib import Path

from leakear.edge.audio.microphone import SoundDeviceSource, Source, choose
from leakear.edge.cli.setup import answers, configuration, dialogue, trial
from leakear.edge.cli.setup.answers import AnswerError, Answers
from leakear.edge.cli.setup.configuration import Plan
from leakear.edge.command_line import place
from leakear.edge.errors import DeliveryError, LeakearError, UsageError
from leakear.edge.settings import SYSTEM_FILE
from leakear.edge.texts import printable

HELP = f"""\
Ask for site, name, microphone and broker; try the connection; write the configuration; send a test alert.

  sudo leakear-edge setup                  asks, and writes {SYSTEM_FILE}
  leakear-edge setup --config my.toml      another file
  sudo leakear-edge setup --web            the same as a page for a browser in this network, for a node without a screen
  sudo leakear-edge setup --yes --site hillside --name pit-7 --device USB --broker mqtts://broker.local \\
      --ca ca.pem --user hillside.pit-7 --password-file secret            asks nothing (fleets)

An existing configuration is changed key by key, after the difference was shown; the old file stays beside it as
.bak-TIME. The password goes into a file of its own that only root (or this user) may read: systemd's credential for a
configuration under {SYSTEM_FILE.parent}, else NAME.mqtt-password beside the configuration. The CA is copied beside the
configuration. The test alert is an event of the kind `test`: nothing takes it for a leak. Nothing is written before the
last question is answered.
Exit codes: 0 done, 2 an option or answer cannot be used, 69 the broker does not take the node (with --yes nothing is
written then; --no-test writes without trying), 78 the present configuration cannot be read or written, 130 Ctrl-C, 1
anything else, as a no to the last question.
"""

_NOT_ON_THE_PAGE = ("site", "name", "device", "broker", "ca", "user", "password_file", "yes", "no_test")
"""options that the page does not look at"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=place, default=SYSTEM_FILE, help=f"file to write ({SYSTEM_FILE})")
    parser.add_argument("--site", help="name of the place, one word")
    parser.add_argument("--name", help="name of the node, one word (the host's)")
    parser.add_argument("--device", help="microphone: name, part of it, ALSA card id or USB id")
    parser.add_argument("--broker", metavar="URL", help="mqtts://HOST[:8883] or mqtt://HOST[:1883]")
    parser.add_argument("--ca", type=place, help="PEM file of the CA of the broker's certificate")
    parser.add_argument("--user", help="user on the broker")
    parser.add_argument("--password-file", type=place, help="file that holds the user's password")
    parser.add_argument("--yes", action="store_true", help="ask nothing: site and broker must be given or configured")
    parser.add_argument("--no-test", action="store_true", help="do not connect to the broker, send no test alert")
    parser.add_argument("--web", action="store_true", help="a page for a browser instead of questions")
    parser.add_argument("--listen", metavar="ADDRESS", help="address of that page (0.0.0.0: all)")
    parser.add_argument("--port", type=int, help="port of that page (8090)")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.web and (asked := [f"--{key.replace('_', '-')}" for key in _NOT_ON_THE_PAGE if getattr(args, key)]):
        raise UsageError(f"--web asks on its page: leave out {', '.join(asked)}")
    if not args.web and (args.listen is not None or args.port is not None):
        raise UsageError("--listen and --port are those of the page: add --web")
    configuration.refuse_unwritable(args.config)
    if args.web:
        from leakear.edge.cli.setup.web.server import serve

        port = 8090 if args.port is None else args.port
        return serve(args.config, args.listen or "0.0.0.0", port, SoundDeviceSource())  # noqa: S104 - protected by a one-time code
    try:
        return run(args, SoundDeviceSource())
    except KeyboardInterrupt:
        print("\nNothing was written.")
        raise


def run(args: argparse.Namespace, source: Source) -> int:
    """Ask, try, write, send the test alert; return the exit code. Raises AnswerError, ConfigError, DeliveryError."""
    plan = configuration.planned(args.config, _answers(args, source))
    print(plan.difference or f"{args.config} says so already")
    if not args.no_test:
        _try(plan, sure=args.yes)
    if args.yes and args.device:
        _look_for(args.device, source)
    if plan.files and not args.yes and not dialogue.confirmed(f"Write {args.config}?"):
        print("Nothing was written.")
        return 1
    write(plan)
    if not args.no_test:
        found = trial.test_alert(plan)
        if problem := trial.failed(found):
            raise DeliveryError(f"the configuration is written, and the test alert failed: {problem}")
        print(f"{found.detail}; {found.remedy}")
    print(configuration.next_step(plan))
    return 0


def write(plan: Plan) -> None:
    """Write the files, which Ctrl-C does not interrupt, and say which copies were made."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        copies = configuration.write(plan)
    finally:
        signal.signal(signal.SIGINT, before)
    for copy in copies:
        print(f"what was there before is kept: {copy}")


def _answers(args: argparse.Namespace, source: Source) -> Answers:
    """Return all answers, from the command line, the present configuration, and the person. Raises AnswerError."""
    options = ("site", "name", "device", "broker", "user")
    given = {key: getattr(args, key) for key in options if getattr(args, key) is not None}
    before = configuration.before(args.config)
    pem = dialogue.read_ca(args.ca) if args.ca else None
    password = _password(args.password_file) if args.password_file else None
    if not args.yes:
        return dialogue.Dialogue(given, before, source).ask_all(pem, password)
    known = {"name": answers.default_name()} | before | given
    for key in ("site", "broker"):
        if key not in known:
            raise UsageError(f"--yes asks nothing: give --{key}")
    return answers.of(known | {"password": password or ""}, pem or b"")


def _password(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise AnswerError("password", f"--password-file {path} cannot be read: {why}") from None
    if not text:
        raise AnswerError("password", f"--password-file {path} is empty: put the password into it")
    return text


def _look_for(device: str, source: Source) -> None:
    """Say so when no microphone has the name that was given: it may be mistyped, or plugged in later."""
    try:
        choose(source.devices(), device)
    except LeakearError as error:
        print(f"the name of the microphone is written all the same: {printable(str(error))}", flush=True)


def _try(plan: Plan, *, sure: bool) -> None:
    """Connect to the broker. Raises DeliveryError where it does not take this node, unless a person goes on."""
    print(f"Connecting to {printable(plan.settings.mqtt.where)} …", flush=True)
    found = trial.connection(plan)
    problem = trial.failed(found)
    if not problem:
        print(found.detail)
        return
    print(printable(problem))
    if sure or not dialogue.confirmed("Go on all the same?"):
        raise DeliveryError(
            "nothing was written, because the broker does not take this node (--no-test: write it without trying)"
        )
