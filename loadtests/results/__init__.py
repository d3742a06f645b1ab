"""What a run leaves behind: its folder, its page and plot, and the comparison with the run before."""
