"""What the monitor sees, for Prometheus: at an address, or in a file for node_exporter."""
