"""What does the CPU of single requests foretell about load? Written down before it is measured."""
