# A large negative exit code keeps its low eight bits.
import sys
sys.exit(-300)
