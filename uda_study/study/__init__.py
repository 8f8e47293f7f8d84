"""What a study is: its file, cells and trials, and what can be concluded from them."""
