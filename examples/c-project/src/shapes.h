int square(int side);
int rectangle(int width, int height);
