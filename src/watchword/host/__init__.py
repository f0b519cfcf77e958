"""The surface of the host: what `watchword admin` asks, over a socket of the running server or in process."""
