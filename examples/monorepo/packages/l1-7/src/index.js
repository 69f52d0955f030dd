export const part = "l1-7";
