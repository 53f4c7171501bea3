"""The board over HTTP: its page, its API, its stream of news, and the seat.

What it shows comes from a process beside the server (`app.board.analyst`); `cli` hands in what that
process runs.
"""
