"""What a job used: its records, and what is made of them."""
