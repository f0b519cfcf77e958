"""Entry point of the command `watchword`."""

import gc
import sys

_CYCLES = 100_000


def main() -> None:
    """Run the command line. A scan starts without loading the rest of it, where its words are plain."""
    if sys.argv[1:2] == ["scan"]:
        # A scan makes hardly any cycles; looking for them as often as usual costs it a twentieth.
        gc.set_threshold(_CYCLES)
        from watchword.cli.scanwords import quickly  # noqa: PLC0415

        asked = quickly(sys.argv[2:])
        if asked is not None:
            from watchword.cli.scanning import run  # noqa: PLC0415

            try:
                sys.exit(run(asked))
            except KeyboardInterrupt:
                sys.exit(130)
    from watchword.cli.main import main as whole  # noqa: PLC0415

    whole()


if __name__ == "__main__":
    main()
