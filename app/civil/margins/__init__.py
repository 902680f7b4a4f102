"""What is noted in the margin of a registered act, and its annulment by a court."""
