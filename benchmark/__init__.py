"""What watches: starts contenders, loads them, records what happens, and explains it."""
