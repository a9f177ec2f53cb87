"""The national terminal driver's functions, by name, with its strings and numbers (LD/T 33; 人社信息函[2016]38号)."""
