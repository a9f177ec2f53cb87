"""What things cost: each module measures one thing and can be run by itself, `python -m bench.NAME`."""
