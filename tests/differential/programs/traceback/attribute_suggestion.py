# A misspelled attribute gets a suggestion.
class Config:
    colour = 1
    def __init__(self):
        self.option = 2
Config().optoin
