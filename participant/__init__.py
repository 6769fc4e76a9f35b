"""The participant app: a Netflix export becomes one noised release a week; the history stays on the machine."""
