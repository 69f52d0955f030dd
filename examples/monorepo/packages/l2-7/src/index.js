export const part = "l2-7";
