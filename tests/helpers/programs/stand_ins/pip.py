"""Installs nothing: what a document asks for is there, or its test is skipped."""
