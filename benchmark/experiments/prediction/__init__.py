"""What does light load predict about heavy load? Written down before that is measured."""
