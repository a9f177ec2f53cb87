"""What is measured: counters and times, shown as text when asked for. Nobody below keeps any: they are listened to."""
