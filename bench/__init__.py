"""Speed and accuracy, side by side with what people use today: ``python -m bench``."""
