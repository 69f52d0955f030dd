export const part = "l3-7";
