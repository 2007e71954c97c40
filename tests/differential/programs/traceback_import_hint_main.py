from main import something_not_there
