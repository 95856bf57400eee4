// What the shop sells.
export const products = [
  { id: "oak", name: "Oak sapling", price: 18 },
  { id: "hazel", name: "Hazel rod", price: 6 },
  { id: "chestnut", name: "Sweet chestnut sapling", price: 21 },
  { id: "ash", name: "Ash pole", price: 9 },
  { id: "billhook", name: "Billhook", price: 54 },
  { id: "gloves", name: "Leather gloves", price: 27 },
];

export function findProduct(id) {
  return products.find((product) => product.id === id);
}
