"""Run by `python -m experiments.chatbot`."""

from experiments.chatbot.commands import chat, evaluate, resume, train
from experiments.cli import run_commands

if __name__ == "__main__":
    run_commands({f.__name__: f for f in (train, resume, evaluate, chat)}, default="train")
