"""A simulated community, and a real SyftBox network on this machine, to try both apps on."""
