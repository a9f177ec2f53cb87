"""One module per card application: what to send and what comes back."""
