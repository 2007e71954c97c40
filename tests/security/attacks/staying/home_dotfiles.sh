# attack: plant start-up files in the home directory
# contained: each run has its own home directory, which is removed afterwards
# expect: ok

mkdir -p ~/.local/lib/python3.11/site-packages ~/.config
echo 'print("ESCAPED: usercustomize")' > ~/.local/lib/python3.11/site-packages/usercustomize.py
echo 'import os; os.write(1, b"ESCAPED: pth")' > ~/.local/lib/python3.11/site-packages/evil.pth
echo 'echo ESCAPED' > ~/.bashrc
cp ~/.bashrc ~/.profile
cp ~/.bashrc ~/.bash_profile
echo 'print("ESCAPED: startup")' > ~/.pythonrc.py
