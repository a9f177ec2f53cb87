"""What `cardctl doctor` looks at: a counter, its daemon and the machine below, with the daemon up or down."""
