"""What both apps agree on: weeks, shows, studies, releases, the noise, and where things are in a SyftBox."""
