"""What a person or a program asks for; each is one function in its own module, called by the command line and HTTP."""
