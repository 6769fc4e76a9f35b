"""The aggregator app: everyone's noised releases become the community's trend, published with its intervals."""
