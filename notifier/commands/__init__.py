"""The command line: what operators and process managers do. One group a file."""
